"""`python -m benchmarks`: all of them, one after the other."""

from benchmarks import aggregator, lambda_handler, snapshot, startup

startup.main()
lambda_handler.main()
snapshot.main([])
aggregator.main([])
