"""Reference two-tower recommender: training, evaluation, artefacts, inference."""
