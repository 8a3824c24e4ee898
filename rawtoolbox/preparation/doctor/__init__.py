"""What is wrong with a data set of pairs, before days of training find out."""

from rawtoolbox.preparation.doctor.examine import Declared, Examination, examine
from rawtoolbox.preparation.doctor.findings import Finding, judge
from rawtoolbox.preparation.doctor.picture import write_picture

__all__ = ['Declared', 'Examination', 'Finding', 'examine', 'judge', 'write_picture']
