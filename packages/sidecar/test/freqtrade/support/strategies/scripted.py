"""
The strategy of the freqtrade tests: what it does is read from the file that EXCHANGE_SCRIPT names.

    {
      "enter": ["BTC/USDT"],      pairs with an entry signal
      "leave": ["BTC/USDT"],      pairs with an exit signal
      "hangs": "populate_indicators",     which of its callbacks never returns
      "refuses_exit": ["BTC/USDT"],       pairs whose confirm_trade_exit says no
      "order_types": {"exit": "limit"},   read once, at the start
      "adjust": 50                        buys so much more for an open trade, once
    }
"""

import json
import logging
import os
import time

from pandas import DataFrame

from freqtrade.strategy import IStrategy


def script():
    with open(os.environ["EXCHANGE_SCRIPT"], encoding="utf8") as file:
        return json.load(file)


logger = logging.getLogger(__name__)


def hang_if(name):
    while script().get("hangs") == name:
        time.sleep(0.05)


class Scripted(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = script().get("timeframe", "5m")
    minimal_roi = {"0": 10}
    stoploss = -0.9
    process_only_new_candles = False
    startup_candle_count = 0
    position_adjustment_enable = "adjust" in script()
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "limit",
        "stoploss_on_exchange": False,
        **script().get("order_types", {}),
    }

    def bot_loop_start(self, current_time, **kwargs):
        hang_if("bot_loop_start")

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        hang_if("populate_indicators")
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["enter_long"] = int(metadata["pair"] in script().get("enter", []))
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["exit_long"] = int(metadata["pair"] in script().get("leave", []))
        return dataframe

    def confirm_trade_entry(self, pair, *args, **kwargs):
        hang_if("confirm_trade_entry")
        return True

    def confirm_trade_exit(self, pair, *args, **kwargs):
        logger.info(f"confirm_trade_exit of {pair}")
        hang_if("confirm_trade_exit")
        return pair not in script().get("refuses_exit", [])

    def custom_exit_price(self, pair, trade, current_time, proposed_rate, current_profit, exit_tag, **kwargs):
        return script().get("exit_price", proposed_rate)

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return script().get("entry_price", proposed_rate)

    def adjust_trade_position(self, trade, *args, **kwargs):
        return script().get("adjust") or None if trade.nr_of_successful_entries == 1 else None
