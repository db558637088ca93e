with

difference as (
    select * from {{ ref('stg_claims__price_difference') }}
),

hospital as (
    {{ compared_hospital() }}
),

-- What was billed to few stays tells of persons. What is no reason for much is not a reason to read on.
placed as (
    select
        difference.*,
        difference.peers_bill_count >= 10 and difference.bill_count not between 1 and 9 as is_told,
        row_number() over (
            partition by difference.hospital_id, difference.drg
            order by
                (difference.peers_bill_count >= 10 and difference.bill_count not between 1 and 9) desc,
                abs(difference.use) + abs(difference.price) desc,
                difference.item asc
        ) as place
    from difference
    where difference.suppressed is null
),

named as (
    select
        placed.*,
        case when placed.is_told and placed.place <= 20 then placed.item else 'other' end as told_item
    from placed
),

final as (
    select
        named.region,
        hospital.origin,
        named.currency,
        named.hospital_id,
        named.hosp_lv,
        hospital.plan_version,
        named.drg,
        named.told_item as item,
        count(*) as item_count,
        cast(sum(named.bill_count) filter (where named.told_item <> 'other') as bigint) as bill_count,
        sum(named.use) as use,
        sum(named.price) as price,
        sum(named.use + named.price) as difference,
        max(named.snapshot_id) as snapshot_id
    from named
    inner join hospital
        on named.hospital_id = hospital.hospital_id
    group by all
)

select * from final
