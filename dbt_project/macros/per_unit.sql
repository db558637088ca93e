{#
The price of `each` comparable units, where one billed unit at `price` holds `held` of what they count: six decimals, halves
upwards. In whole numbers, because a decimal divided by a decimal is a binary fraction here.
#}
{% macro per_unit(price, held, each) -%}
try_cast(
    cast(
        (2 * {{ micro(price) }} * {{ micro(each) }} + {{ micro(held) }})
        // (2 * nullif({{ micro(held) }}, 0)) as decimal(38, 0)
    ) * 0.000001 as decimal(18, 6)
)
{%- endmacro %}

{% macro micro(number) -%}
cast(cast({{ number }} as decimal(38, 6)) * 1000000 as hugeint)
{%- endmacro %}

{# A quantile over a window of hospitals, if these are enough: of two hospitals each would know the other's price. #}
{% macro quantile_of_enough(column, share, over) -%}
case when count(*) over {{ over }} >= {{ var('fewest_hospitals') }} then quantile_cont({{ column }}, {{ share }}) over {{ over }} end
{%- endmacro %}
