"""The reference bot: a paper-trading bot that serves the four calls a guarded bot must serve.

It trades a seeded price walk on a paper exchange, which is the book this process holds in memory.
With a `DATABASE_URL` every change is also on record in Postgres, and a new boot goes on with the
positions that it finds there.

**What is true when the database is away.** A real exchange works on while a bot's database is down, so
the book, not the database, is the truth about what is open:

- nothing new is opened unless it is on record first, so while the database is away nothing is opened;
- closing is never held back: it happens on the exchange, `/positions` tells that truth at once, and the
  rows are removed as soon as the database answers. Until then the answer to a close says
  `"recorded": false`, and the rows still stand in the database;
- a boot that has not yet read its book does not know what is open: it answers 503 and never "nothing";
- a process that is told to stop with closings unrecorded gives the database one more second. If that
  does not help it says so in its log and exits 1: the next boot would find those rows and take them for
  open positions.

**What a stop does not do.** SIGTERM and SIGINT end the process within two seconds and close nothing. The
positions stay open at the exchange, with no one watching them: that is what makes an unguarded stop
dangerous, and closing them first is the guard's job.
"""
