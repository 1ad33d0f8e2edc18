"""The command ``qkdclient``: it parses, calls the library and writes what came."""
