"""The documented objects: Api, Runs, Run and what they lead to."""
