{# Made anew in every build, as what people decide changes it without a new delivery; it is small. #}

with

item as (
    select * from {{ ref('stg_claims__coded_item') }}
),

usage as (
    select
        source_id,
        kind,
        medins_list_codg,
        medins_list_name,
        sum(line_count) as line_count,
        sum(money) as money
    from {{ ref('stg_claims__item_usage') }}
    group by all
),

source_currency as (
    select * from {{ ref('int_sources__denominated') }}
),

weighed as (
    select
        item.*,
        coalesce(usage.line_count, 0) as line_count,
        coalesce(usage.money, 0) as money,
        item.decision in ('auto', 'decided') and item.code is not null as is_coded
    from item
    left join usage
        on
            item.source_id = usage.source_id
            and item.kind = usage.kind
            and item.medins_list_codg is not distinct from usage.medins_list_codg
            and item.medins_list_name is not distinct from usage.medins_list_name
),

final as (
    select
        weighed.source_id,
        weighed.kind,
        source_currency.currency,
        count(*) as item_count,
        count(*) filter (where weighed.decision = 'auto') as auto_count,
        count(*) filter (where weighed.decision = 'decided') as decided_count,
        count(*) filter (where weighed.decision = 'review') as review_count,
        count(*) filter (where weighed.decision = 'none') as none_count,
        count(*) filter (where weighed.is_coded) as coded_count,
        count(*) filter (where weighed.evidence = 'agrees') as agreeing_count,
        count(*) filter (where weighed.evidence = 'disagrees') as disagreeing_count,
        cast(sum(weighed.line_count) as bigint) as line_count,
        cast(coalesce(sum(weighed.line_count) filter (where weighed.is_coded), 0) as bigint) as coded_line_count,
        cast(sum(weighed.money) as decimal(38, 2)) as amount,
        cast(coalesce(sum(weighed.money) filter (where weighed.is_coded), 0) as decimal(38, 2)) as coded_amount
    from weighed
    left join source_currency
        on weighed.source_id = source_currency.source_id
    group by weighed.source_id, weighed.kind, source_currency.currency
)

select * from final
