// Clicks on charts set the address, and the drawer of one event opens and closes with the keyboard.
