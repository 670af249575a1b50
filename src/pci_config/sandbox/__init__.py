"""AWS Config in a box: what the demo and the end-to-end tests run the real artefacts in. Stands on moto."""
