{# One end of the 95 % interval of a share, after Wilson (1927): part of whole, side -1 or 1. #}
{% macro wilson(part, whole, side) -%}
    (
        ({{ part }} + 1.9207294) / ({{ whole }} + 3.8414588)
        + {{ side }} * 1.959964 / ({{ whole }} + 3.8414588)
        * sqrt({{ part }} * ({{ whole }} - {{ part }}) / cast({{ whole }} as double) + 0.9603647)
    )
{%- endmacro %}

{#
One end of the 95 % interval of a mean from exact sums: count, sum and sum of squares, side -1 or 1; normal approximation,
null for fewer than two values.
#}
{% macro mean_end(count, sum, square_sum, side) -%}
    (
        cast({{ sum }} as double) / {{ count }}
        + {{ side }} * 1.959964 * sqrt(
            greatest(
                cast({{ square_sum }} as double) - cast({{ sum }} as double) / {{ count }} * cast({{ sum }} as double), 0
            )
            / nullif({{ count }} - 1, 0) / {{ count }}
        )
    )
{%- endmacro %}

{# The first day of the month, quarter or year before the one that a row's period_kind and period_start name. #}
{% macro period_before(row) -%}
    cast(
        {{ row }}.period_start
        - case {{ row }}.period_kind
            when 'month' then interval 1 month
            when 'quarter' then interval 3 month
            else interval 1 year
        end as date
    )
{%- endmacro %}
