"""The names of the columns that tsoft writes beside the classes, and reads back."""

# The measures by the names that records and headers give them: of a teacher alone, with a student, and with a
# student and targets.
OF_TEACHER = ("rest_prob", "rest_entropy", "information")


OF_STUDENT = ("kl", "kl_tau2", "gradient", "gradient_tau2")


OF_TARGETS = ("cross_entropy", "loss")


# The columns that tell one vector from the next.
KEYS = ("row", "tau", "engine")


# The column that holds the true classes, and the heading of a file of them.
TARGET = "target"
