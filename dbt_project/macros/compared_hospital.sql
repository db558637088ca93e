{# What grouping says of hospitals that are compared: whose data they are, and by which plan their stays are grouped. #}
{% macro compared_hospital() -%}
    select
        hospital_id,
        any_value(origin) as origin,
        string_agg(distinct plan_version, ',' order by plan_version) as plan_version
    from {{ ref('fct_stay_group') }}
    where is_grouped
    group by hospital_id
{%- endmacro %}
