{#
What stays used of some categories, beside all stays of their cell: month of discharge, hospital, disease category and one
key more. One row a cell and category.

- key: the column of the cell beside the others
- named: what a category is called here, and how it follows from that of the use
- where: which uses count
- cell, used: further sums of the cell, and of what was used
- told: what follows from both
#}
{% macro category_use(key, named, where, cell, used, told) %}
with

stay as (
    select
        *,
        coalesce(dscg_dept_name, 'unknown') as department
    from {{ ref('fct_stay') }}
    where is_valid and {{ touched('discharge_month', by='valued month') }}
),

use as (
    select
        *,
        {{ named[1] }} as {{ named[0] }}_named
    from {{ ref('fct_special_use') }}
    where {{ where }}
),

cell as (
    select
        stay.discharge_month,
        stay.hospital_id,
        stay.diagnosis_system,
        stay.diagnosis_category,
        stay.{{ key }},
        min(stay.region) as region,
        min(stay.hosp_lv) as hosp_lv,
        min(stay.currency) as currency,
        min(stay.origin) as origin,
        count(*) as cell_stay_count,
        {{ cell | join(',\n        ') }}
    from stay
    group by
        stay.discharge_month, stay.hospital_id, stay.diagnosis_system, stay.diagnosis_category, stay.{{ key }}
),

counted as (
    select
        stay.discharge_month,
        stay.hospital_id,
        stay.diagnosis_system,
        stay.diagnosis_category,
        stay.{{ key }},
        use.{{ named[0] }}_named as {{ named[0] }},
        count(*) as stay_count,
        cast(sum(use.amount) as decimal(38, 2)) as amount,
        {{ used | join(',\n        ') }}
    from use
    inner join stay
        on use.stay_id = stay.stay_id
    group by all
),

final as (
    select
        cell.*,
        counted.* exclude (discharge_month, hospital_id, diagnosis_system, diagnosis_category, {{ key }}),
        counted.stay_count / cell.cell_stay_count as stay_share,
        {{ told | join(',\n        ') }}
    from counted
    inner join cell
        on
            counted.discharge_month = cell.discharge_month
            and counted.hospital_id = cell.hospital_id
            and counted.diagnosis_system = cell.diagnosis_system
            and counted.diagnosis_category = cell.diagnosis_category
            and counted.{{ key }} = cell.{{ key }}
)

select * from final
{% endmacro %}
