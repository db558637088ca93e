{# Where budgets stood at the end of each month, of hospitals or of insurance types' funds: whose, and what tells of them. #}
{% macro budget_stood(alias) -%}
        {{ alias }}.discharge_month,
        {{ alias }}.policy,
        {{ alias }}.policy_version,
        {{ alias }}.stay_count,
        {{ alias }}.fund,
        {{ alias }}.budget,
        {{ alias }}.budget_so_far,
        {{ alias }}.prepaid_so_far,
        {{ alias }}.fund_so_far,
        {{ alias }}.settled_so_far,
        {{ alias }}.to_pay_so_far,
        {{ alias }}.forecast,
        {{ alias }}.forecast_low,
        {{ alias }}.forecast_high,
        {{ alias }}.forecast_method,
        cast({{ alias }}.fund_so_far as double) / cast(nullif({{ alias }}.budget, 0) as double) as used_share,
        cast({{ alias }}.forecast as double) / cast(nullif({{ alias }}.budget, 0) as double) as forecast_share,
        {{ alias }}.snapshot_id
{%- endmacro %}
