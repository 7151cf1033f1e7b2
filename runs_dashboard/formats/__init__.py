"""How Django writes dates where nobody says otherwise: in the admin."""
