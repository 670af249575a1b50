"""`pci-config remediate`: what would change, change it, what became of it, and the way back."""
