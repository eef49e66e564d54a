"""The contract between all parts of Raceline: models, topics, reasons and KPI names. No I/O."""
