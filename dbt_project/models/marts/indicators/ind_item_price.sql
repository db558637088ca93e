{#
Refreshed by month, and wholly where values were assigned anew, from what was billed at each price: that is a few hundredths
of the fee lines' rows.
#}
{{ config(materialized='incremental', refreshed_by='valued month', refreshed_on='discharge_month') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

billed as (
    select * from {{ ref('fct_item_price') }}
    where quantity > 0 and pric > 0 and {{ touched('discharge_month', by='valued month') }}
),

assigned as (
    select * from {{ ref('stg_claims__assigned_value') }}
    where code is not null
),

hospital as (
    select * from {{ ref('dim_hospital') }}
),

-- A bill is valued by what held on the first day of its month of discharge.
valued as (
    select
        billed.*,
        assigned.code,
        assigned.national_name,
        case basis.name when 'amount' then assigned.amount_basis else basis.name end as unit,
        -- A product of two decimals of 18 digits would have to fit 18 digits.
        cast(case basis.name when 'piece' then assigned.pieces else assigned.amount end as decimal(38, 6)) as held,
        cast(
            case
                when basis.name = 'piece' then 1
                when basis.name = 'ddd' then assigned.ddd
                when assigned.amount_basis = 'g' then 1000
                when assigned.amount_basis = 'ml' then 1
                when assigned.amount_basis = '10kIU' then 10000
            end as decimal(18, 6)
        ) as each
    from billed
    inner join assigned
        on
            billed.source_id = assigned.source_id
            and billed.kind = assigned.kind
            and billed.medins_list_codg is not distinct from assigned.medins_list_codg
            and billed.medins_list_name = assigned.medins_list_name
            and billed.discharge_month >= assigned.valid_from
            and (billed.discharge_month < assigned.valid_to or assigned.valid_to is null)
    cross join (values ('piece'), ('amount'), ('ddd')) as basis (name)
),

ordered as (
    select
        valued.*,
        {{ per_unit('valued.pric', 'valued.held', 'valued.each') }} as price,
        sum(valued.quantity * valued.held) over (
            partition by valued.discharge_month, valued.hospital_id, valued.kind, valued.code, valued.unit
            order by {{ per_unit('valued.pric', 'valued.held', 'valued.each') }}
        ) as held_so_far,
        sum(valued.quantity * valued.held) over (
            partition by valued.discharge_month, valued.hospital_id, valued.kind, valued.code, valued.unit
        ) as held_in_all
    from valued
    where valued.held > 0 and valued.each > 0
),

cell as (
    select
        ordered.discharge_month,
        ordered.hospital_id,
        ordered.kind,
        ordered.code,
        ordered.unit as comparable_unit,
        min(ordered.national_name) as national_name,
        count(distinct concat_ws(':', ordered.medins_list_codg, ordered.medins_list_name)) as item_count,
        cast(sum(ordered.line_count) as bigint) as line_count,
        cast(sum(cast(ordered.quantity * ordered.held as double) / ordered.each) as decimal(38, 4)) as quantity,
        cast(sum(ordered.amount) as decimal(38, 2)) as amount,
        min(ordered.price) filter (where 2 * ordered.held_so_far >= ordered.held_in_all) as median_price,
        {{ per_unit('sum(ordered.amount)', 'sum(ordered.quantity * ordered.held)', 'min(ordered.each)') }} as mean_price
    from ordered
    group by ordered.discharge_month, ordered.hospital_id, ordered.kind, ordered.code, ordered.unit
),

compared as (
    select
        cell.*,
        hospital.region,
        hospital.hosp_lv,
        hospital.currency,
        hospital.origin,
        count(*) over everywhere as hospital_count,
        {{ quantile_of_enough('cell.median_price', 0.25, 'everywhere') }} as region_low_price,
        {{ quantile_of_enough('cell.median_price', 0.5, 'everywhere') }} as region_median_price,
        {{ quantile_of_enough('cell.median_price', 0.75, 'everywhere') }} as region_high_price
    from cell
    inner join hospital
        on cell.hospital_id = hospital.hospital_id
    window everywhere as (
        partition by
            cell.discharge_month, hospital.region, hospital.currency, hospital.origin, cell.kind, cell.code,
            cell.comparable_unit
    )
),

final as (
    select
        compared.*,
        cast(compared.median_price as double) / nullif(cast(compared.region_median_price as double), 0) as price_ratio
    from compared
)

select * from final
