-- Extreme stays that wait for a person, and what people decided about them. A decision is never changed: a later one
-- supersedes it.

-- What waits: made anew by every search.
create table if not exists ops.stay_question (
    stay_id text primary key,
    hospital_id text not null,
    region text,
    currency text not null,
    hosp_lv text,
    drg text not null,
    side text not null check (side in ('high', 'low')),
    methods text [] not null,
    amount numeric(20, 2) not null,
    at_stake numeric(20, 2) not null,
    reasons jsonb not null,
    evidence jsonb not null,
    found_by text not null,
    snapshot_id bigint not null,
    asked_at timestamptz not null default now()
);

create index if not exists stay_question_by_stake on ops.stay_question (at_stake desc, stay_id);

-- What a person decided, with the whole question as it was seen. The first of a chain supersedes nothing.
create table if not exists ops.stay_review (
    review_id bigint generated always as identity primary key,
    stay_id text not null,
    drg text not null,
    side text not null,
    amount numeric(20, 2) not null,
    seen jsonb not null,
    decision text not null check (decision in ('accept', 'special', 'reduce', 'return')),
    decided_by text not null check (decided_by <> ''),
    why text not null check (why <> ''),
    supersedes bigint unique references ops.stay_review (review_id),
    request_key text,
    decided_at timestamptz not null default now(),
    unique (decided_by, request_key)
);

-- Of two people who decide at the same moment one is refused: a chain has one beginning and no branches.
create unique index if not exists stay_review_first on ops.stay_review (stay_id) where supersedes is null;
create index if not exists stay_review_by_stay on ops.stay_review (stay_id, review_id);

create or replace trigger never_changed before update or delete on ops.stay_review
for each row execute function ops.refuse_change();
create or replace trigger never_emptied before truncate on ops.stay_review
for each statement execute function ops.refuse_change();
