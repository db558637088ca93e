{# What a part is of a whole, both sums of a hospital's month; null where the whole is 0. #}
{% macro share_of_month(part, whole, share) %}
with

month as (
    select * from {{ ref('ind_hospital_month') }}
),

final as (
    select
        month.discharge_month,
        month.hospital_id,
        month.region,
        month.hosp_lv,
        month.currency,
        month.origin,
        month.stay_count,
        month.{{ whole }},
        month.{{ part }},
        cast(month.{{ part }} as double) / cast(nullif(month.{{ whole }}, 0) as double) as {{ share }}
    from month
)

select * from final
{% endmacro %}
