"""Creation of the sample: real training, logged by the official SDKs. Development only; needs scikit-learn."""
