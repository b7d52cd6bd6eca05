print("fanoise")
