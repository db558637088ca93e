with

comparison as (
    select
        *,
        stay_count - alone_count as compared_count
    from {{ ref('stg_claims__comparison') }}
),

hospital as (
    select
        hospital_id,
        any_value(origin) as origin
    from {{ ref('fct_stay_group') }}
    group by all
),

-- Of few stays chance alone decides, and a small cell is not published.
final as (
    select
        comparison.region,
        hospital.origin,
        comparison.currency,
        comparison.hospital_id,
        comparison.hosp_lv,
        comparison.measure,
        comparison.hospital_count,
        case when comparison.compared_count >= 10 then comparison.compared_count end as compared_count,
        case when comparison.compared_count >= 10 then comparison.observed end as observed,
        case when comparison.compared_count >= 10 then comparison.expected end as expected,
        case when comparison.compared_count >= 10 then comparison.ratio end as ratio,
        case when comparison.compared_count >= 10 then comparison.ratio_low end as ratio_low,
        case when comparison.compared_count >= 10 then comparison.ratio_high end as ratio_high,
        case when comparison.compared_count >= 10 then comparison.factor end as factor,
        case when comparison.compared_count >= 10 then comparison.factor_low end as factor_low,
        case when comparison.compared_count >= 10 then comparison.factor_high end as factor_high,
        case when comparison.compared_count >= 10 then comparison.low_95 end as low_95,
        case when comparison.compared_count >= 10 then comparison.high_95 end as high_95,
        case when comparison.compared_count >= 10 then comparison.low_998 end as low_998,
        case when comparison.compared_count >= 10 then comparison.high_998 end as high_998,
        case when comparison.compared_count >= 10 then comparison.q end as q,
        case when comparison.compared_count >= 10 then comparison.place end as place,
        case when comparison.compared_count < 10 then 'few_stays' else comparison.why_none end as why_none,
        comparison.snapshot_id
    from comparison
    inner join hospital
        on comparison.hospital_id = hospital.hospital_id
)

select * from final
