print("baron")
