"""The running service: composition, health, reload, its second process."""
