"""The names of the columns that tsoft writes beside the classes, and reads back."""

# Measures of distillation: of a teacher alone, with a student, and with a student and targets.
TEACHER_MEASURES = ("rest_prob", "rest_entropy", "information")
STUDENT_MEASURES = ("kl", "kl_tau2", "gradient", "gradient_tau2")
TARGET_MEASURES = ("cross_entropy", "loss")
# The columns whose values distinguish one vector from the next.
KEY_COLUMNS = ("row", "tau", "engine")
# The column that holds the true classes, and the heading of a file of them.
TARGET = "target"
