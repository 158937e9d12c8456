"""The names of the columns that tsoft writes next to the classes, and recognizes when it reads them."""

# The measures of distillation: those of the teacher, those that need a student, and those that need targets, too.
TEACHER_MEASURES = ("rest_prob", "rest_entropy", "information")
STUDENT_MEASURES = ("kl", "kl_tau2", "gradient", "gradient_tau2")
TARGET_MEASURES = ("cross_entropy", "loss")
# The columns that identify a distribution.
KEY_COLUMNS = ("row", "tau", "engine")
# The column of keys, which name the rows, next to those of KEY_COLUMNS.
ID = "id"
# The column of the true classes, and the header of a file of targets.
TARGET = "target"
# The class of each line of the long form, or the true class of a row.
LABEL = "label"
# The names of columns, in lower case, that may contain the true classes, in the order of precedence. The second group
# is common for classes, too, so only commands that take targets look for it.
TARGET_NAMES, FURTHER_TARGET_NAMES = (TARGET, LABEL), ("y", "class")
