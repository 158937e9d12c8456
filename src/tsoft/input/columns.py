"""The names of the columns that tsoft writes next to the classes, and recognizes when it reads them."""

# The measures of distillation: those of the teacher, those that need a student, and those that need targets, too.
TEACHER_MEASURES = ("rest_prob", "rest_entropy", "information")
STUDENT_MEASURES = ("kl", "kl_tau2", "gradient", "gradient_tau2")
TARGET_MEASURES = ("cross_entropy", "loss")
# The columns that identify a distribution.
KEY_COLUMNS = ("row", "tau", "engine")
# The column of the true classes, and the header of a file of targets.
TARGET = "target"
