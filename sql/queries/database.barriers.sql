select count() as ways from barriers final where barrier_id = {barrier_id:UUID}
