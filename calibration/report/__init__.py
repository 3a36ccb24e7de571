"""How good a calibration is and what to do about it: an HTML page with pictures, JSON, and plain text.

page = write_calibration_report("calibration", intrinsics=None, calibration=result, held_out=held, boards=[board])
"""

from triskel.calibration.report.advice import Advice, advise
from triskel.calibration.report.numbers import CalibrationNumbers, gather_numbers
from triskel.calibration.report.verdict import Verdict, judge
from triskel.calibration.report.write import write_calibration_report

__all__ = [
    "Advice",
    "CalibrationNumbers",
    "Verdict",
    "advise",
    "gather_numbers",
    "judge",
    "write_calibration_report",
]
