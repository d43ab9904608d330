"""What FreqAI takes from xgboost at its import."""


class TrainingCallback:
    EvalsLog = dict
