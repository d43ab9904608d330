"""The strategy of the tests with FreqAI: it learns, and trades nothing."""

from pandas import DataFrame

from freqtrade.strategy import IStrategy


class Learning(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "5m"
    minimal_roi = {"0": 10}
    stoploss = -0.9
    process_only_new_candles = True
    startup_candle_count = 20
    order_types = {"entry": "market", "exit": "market", "stoploss": "limit", "stoploss_on_exchange": False}

    def feature_engineering_expand_all(self, dataframe: DataFrame, period, metadata, **kwargs):
        dataframe["%-mean-period"] = dataframe["close"].rolling(period).mean() / dataframe["close"]
        return dataframe

    def feature_engineering_expand_basic(self, dataframe: DataFrame, metadata, **kwargs):
        dataframe["%-change"] = dataframe["close"].pct_change()
        return dataframe

    def feature_engineering_standard(self, dataframe: DataFrame, metadata, **kwargs):
        return dataframe

    def set_freqai_targets(self, dataframe: DataFrame, metadata, **kwargs):
        dataframe["&-later"] = dataframe["close"].shift(-3) / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe: DataFrame, metadata):
        dataframe["enter_long"] = 0
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata):
        dataframe["exit_long"] = 0
        return dataframe
