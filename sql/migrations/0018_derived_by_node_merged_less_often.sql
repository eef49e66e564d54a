-- Rows come in many small parts. With the default of 5 the engine spent more on merging them again and again than on
-- storing them; with 10 it merges half as often, and a read looks into a few parts more.
alter table derived_by_node modify setting merge_selector_base = 10
