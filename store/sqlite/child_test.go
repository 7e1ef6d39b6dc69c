package sqlite_test

const childPart = "TOCSIN_TEST_CHILD"

func child(string, []string) int { return 0 }
