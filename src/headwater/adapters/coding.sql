-- Questions, decisions and confirmations about codes of local items. A decision is never changed: a later one supersedes.
create or replace function ops.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of %.% are never changed', tg_table_schema, tg_table_name using errcode = 'HW001';
end $$;

-- What waits for a person: one row for all like items, made anew by every coding.
create table if not exists ops.coding_question (
    like_id text primary key,
    kind text not null,
    name text not null,
    attributes jsonb not null,
    items integer not null,
    sources integer not null,
    at_risk numeric(20, 2) not null,
    currency text,
    highest_price numeric(18, 6),
    is_high_value boolean not null,
    reason text not null,
    reported text [] not null,
    alternatives jsonb not null,
    reference_version text,
    asked_at timestamptz not null default now()
);

-- In state none nobody has to answer: these items honestly have no code, and may be given one.
alter table ops.coding_question add column if not exists state text not null default 'review';
create index if not exists coding_question_by_risk on ops.coding_question (at_risk desc, like_id);

-- What a person decided: a code, or null where the reference has none. The first of a chain supersedes nothing.
create table if not exists ops.coding_decision (
    decision_id bigint generated always as identity primary key,
    like_id text not null,
    kind text not null,
    name text not null,
    attributes jsonb not null,
    code text,
    candidates text [] not null,
    reference_version text not null,
    needs_confirmation boolean not null,
    decided_by text not null check (decided_by <> ''),
    why text not null check (why <> ''),
    supersedes bigint unique references ops.coding_decision (decision_id),
    request_key text,
    decided_at timestamptz not null default now(),
    unique (decided_by, request_key)
);

-- Of two people who decide at the same moment one is refused: a chain has one beginning and no branches.
create unique index if not exists coding_decision_first on ops.coding_decision (like_id) where supersedes is null;
create index if not exists coding_decision_by_like on ops.coding_decision (like_id, decision_id);

-- The second pair of eyes.
create table if not exists ops.coding_confirmation (
    decision_id bigint primary key references ops.coding_decision (decision_id),
    confirmed_by text not null check (confirmed_by <> ''),
    why text not null check (why <> ''),
    request_key text,
    confirmed_at timestamptz not null default now(),
    unique (confirmed_by, request_key)
);

-- The name in one spelling, as headwater.claims.signing gives it; what another client writes is spelled here.
alter table ops.coding_decision add column if not exists signature text;
alter table ops.coding_confirmation add column if not exists signature text;

-- A changed reference took the ground from under a decision.
create table if not exists ops.coding_reopening (
    decision_id bigint primary key references ops.coding_decision (decision_id),
    reference_version text not null,
    reopened_at timestamptz not null default now()
);

create or replace function ops.signature(name text) returns text language sql immutable as $$
    select btrim(regexp_replace(lower(normalize(name, nfkc)), '\s+', ' ', 'g'))
$$;

-- A name with unseen signs, or with letters of two scripts that look like each other's.
create or replace function ops.is_disguised(name text) returns boolean language sql immutable as $$
    select
        name ~ (
            '[\u0001-\u0008\u000E-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u206F'
            '\uE000-\uF8FF\uFEFF\uFFF0-\uFFFB\U000E0000-\U000E0FFF\U000F0000-\U0010FFFF]'
        )
        or (
            select count(*) from unnest(array[
                '[A-Za-z\u00C0-\u024F\u1E00-\u1EFF]', '[\u0370-\u03FF\u1F00-\u1FFF]', '[\u0400-\u052F\u1C80-\u1C8F]',
                '[\u0530-\u058F]', '[\u13A0-\u13FF\uAB70-\uABBF]'
            ]) as letters where normalize(name, nfkc) ~ letters
        ) > 1
$$;

create or replace function ops.two_pairs_of_eyes() returns trigger language plpgsql as $$
declare
    decided record;
begin
    select decided_by, signature, needs_confirmation into decided
    from ops.coding_decision where decision_id = new.decision_id;
    if ops.is_disguised(new.confirmed_by) or ops.is_disguised(decided.decided_by)
        or array[decided.signature, ops.signature(decided.decided_by)]
            && array[new.signature, ops.signature(new.confirmed_by)] then
        raise exception 'a decision is confirmed by somebody else' using errcode = 'HW002';
    end if;
    if not decided.needs_confirmation or exists (
        select 1 from ops.coding_decision where supersedes = new.decision_id
    ) or exists (select 1 from ops.coding_reopening where decision_id = new.decision_id) then
        raise exception 'decision % does not wait for confirmation', new.decision_id using errcode = 'HW003';
    end if;
    return new;
end $$;

create or replace trigger two_pairs_of_eyes before insert on ops.coding_confirmation
for each row execute function ops.two_pairs_of_eyes();
create or replace trigger never_changed before update or delete on ops.coding_decision
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.coding_decision
for each statement execute function ops.refuse_change();
create or replace trigger never_changed before update or delete on ops.coding_confirmation
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.coding_confirmation
for each statement execute function ops.refuse_change();
create or replace trigger never_changed before update or delete on ops.coding_reopening
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.coding_reopening
for each statement execute function ops.refuse_change();

-- Every decision and what became of it: what was decided counts until something later does, a proposal or not.
create or replace view ops.coding_ruling as
with ruled as (
    select
        d.decision_id,
        d.like_id,
        d.kind,
        d.name,
        d.attributes,
        d.code,
        d.candidates,
        d.reference_version,
        d.needs_confirmation,
        d.decided_by,
        d.why,
        d.supersedes,
        d.request_key,
        d.decided_at,
        c.confirmed_by,
        c.confirmed_at,
        r.reference_version as reopened_under,
        not d.needs_confirmation or c.decision_id is not null as is_made,
        not exists (select 1 from ops.coding_decision as later where later.supersedes = d.decision_id) as is_newest
    from ops.coding_decision as d
    left join ops.coding_confirmation as c on d.decision_id = c.decision_id
    left join ops.coding_reopening as r on d.decision_id = r.decision_id
)

select
    ruled.*,
    case
        when ruled.reopened_under is not null then 'reopened'
        when ruled.is_made and ruled.decision_id = max(ruled.decision_id) filter (where ruled.is_made) over same
            then 'in force'
        when not ruled.is_made and ruled.is_newest then 'proposed'
        else 'superseded'
    end as state
from ruled
window same as (partition by ruled.like_id);
