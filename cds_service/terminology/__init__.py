"""Floor 7: the readers of the terminology files, with the commands' work of building them: drugs and conditions by code or name."""

from cds_service.terminology.tables import TableDrugIndex, read_drug_index
from cds_service.terminology.valuesets import TableConditionIndex, read_condition_index

__all__ = ["TableConditionIndex", "TableDrugIndex", "read_condition_index", "read_drug_index"]
