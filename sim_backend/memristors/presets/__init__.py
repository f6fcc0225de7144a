"""Published devices, one TOML file each."""
