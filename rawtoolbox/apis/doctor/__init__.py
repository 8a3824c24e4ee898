"""What is wrong with a data set of pairs, before days of training find out."""

from rawtoolbox.apis.doctor.examine import Declared, Examination, examine
from rawtoolbox.apis.doctor.findings import Finding, judge
from rawtoolbox.apis.doctor.picture import write_picture

__all__ = ['Declared', 'Examination', 'Finding', 'examine', 'judge', 'write_picture']
