// Forms: some set the address, some ask the server to act.
