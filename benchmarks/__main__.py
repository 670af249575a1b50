"""`python -m benchmarks`: all of them, one after the other."""

from benchmarks import lambda_handler, snapshot

lambda_handler.main()
snapshot.main([])
