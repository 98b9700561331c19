"""How the sample was made: real training, logged by the official SDKs. Development only, needs scikit-learn."""
