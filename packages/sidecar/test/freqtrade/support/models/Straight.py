"""The FreqAI model of the freqtrade tests: a straight line, which is trained in no time."""

from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel
from sklearn.linear_model import Ridge


class Straight(BaseRegressionModel):
    def fit(self, data_dictionary, dk, **kwargs):
        return Ridge().fit(data_dictionary["train_features"], data_dictionary["train_labels"])
