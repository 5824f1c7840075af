//! What a database itself says of the rows of a table: triggers note every change, in its own transaction.
//!
//! A sink that writes by key hides how often it wrote: the table looks the same. The audit counts it. A row of a
//! file is neither lost nor doubled when
//!
//! - it came into the table once, and never left it: who deletes and inserts anew is seen;
//! - it was written over only where a death fell between the sink's commit and the reader's checkpoint, which are
//!   commits of two databases: behind the checkpoint of that death, by one batch at most, and once for each death;
//! - what was written over it was the same, so that nothing but the audit can tell.

/// How often each row came, was written over, and was removed or changed; in the order of their numbers. The
/// same in both databases.
pub const CHANGES: &str = "select id, \
    count(*) filter (where what = 'INSERT'), count(*) filter (where what = 'UPDATE'), \
    count(*) filter (where what = 'DELETE' or changed) \
    from audit group by id order by id";

/// SQL that makes the audit of a table in SQLite. `id` tells its rows apart, `columns` are the others.
pub fn sqlite_audit(table: &str, columns: &[&str]) -> String {
    let of = |row: &str| {
        let named: Vec<String> = columns.iter().map(|name| format!("{row}.{name}")).collect();
        named.join(", ")
    };
    let (old, new) = (of("old"), of("new"));
    format!(
        "create table audit (what text, id integer, changed boolean);
         create trigger audit_insert after insert on {table} begin
           insert into audit values ('INSERT', new.id, false); end;
         create trigger audit_update after update on {table} begin
           insert into audit values ('UPDATE', new.id, (old.id, {old}) is not (new.id, {new})); end;
         create trigger audit_delete after delete on {table} begin
           insert into audit values ('DELETE', old.id, true); end;"
    )
}

/// The same for PostgreSQL.
pub fn postgres_audit(table: &str) -> String {
    format!(
        "create table audit (what text, id bigint, changed boolean);
         create function audit() returns trigger language plpgsql as $$ begin
           if tg_op = 'DELETE' then insert into audit values (tg_op, old.id, true);
           elsif tg_op = 'UPDATE' then insert into audit values (tg_op, new.id, old is distinct from new);
           else insert into audit values (tg_op, new.id, false); end if;
           return null;
         end $$;
         create trigger audit after insert or update or delete on {table}
           for each row execute function audit();"
    )
}

/// Holds what [`CHANGES`] gave against the promise, and gives how many rows were written over.
///
/// Rows are numbered in the order of the file. `deaths` has for each death how many rows of the file the
/// checkpoint had passed, and `batch_rows` is the most that is written between two checkpoints.
pub fn once(changes: &[[u32; 4]], deaths: &[u64], batch_rows: u64) -> Result<u64, String> {
    let mut over = 0;
    for [id, came, again, spoilt] in changes {
        let excused = deaths.iter().filter(|safe| {
            let unsafe_rows = **safe..**safe + batch_rows;
            unsafe_rows.contains(&u64::from(*id))
        });
        if (*came, *spoilt) != (1, 0) || *again as usize > excused.count() {
            return Err(format!(
                "row {id} came {came} times, was written over {again} times and removed or changed {spoilt} \
                 times; checkpoints at the deaths: {deaths:?}"
            ));
        }
        over += u64::from(*again);
    }
    Ok(over)
}

#[cfg(test)]
mod tests {
    use super::once;

    #[test]
    fn a_row_may_be_written_over_once_for_each_death_that_excuses_it() {
        let deaths = [10, 10, 14];
        for (row, expected) in [
            ([9, 1, 0, 0], Some(0)),
            ([10, 1, 2, 0], Some(2)),
            ([14, 1, 3, 0], Some(3)),
            ([18, 1, 1, 0], Some(1)),
            ([9, 1, 1, 0], None),
            ([10, 1, 3, 0], None),
            ([19, 1, 1, 0], None),
            ([12, 2, 0, 0], None),
            ([12, 0, 1, 0], None),
            ([12, 1, 1, 1], None),
        ] {
            assert_eq!(once(&[row], &deaths, 5).ok(), expected, "{row:?}");
        }
    }
}
