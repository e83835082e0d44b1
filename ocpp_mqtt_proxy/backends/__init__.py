"""The backend protocol (contract §7): one implementation for whatever way a backend comes in."""
