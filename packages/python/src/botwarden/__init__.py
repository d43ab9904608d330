"""The bot's side of Botwarden."""
