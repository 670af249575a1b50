"""Deployment to an organization or to one account. What is deployed is read from AWS alone, so it can go on at any point."""
