"""Who may look and who may act: modes, hosts, sign-in, display tokens, and the gate that every request passes."""
