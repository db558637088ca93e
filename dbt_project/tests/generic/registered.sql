{# Every value of a column stands in the register that it refers to; the values are few, the rows may be many. #}
{% test registered(model, column, to, field, by=none, of=none) %}
select named.{{ column }}
from (
    select distinct {{ column }} from {{ model }}
    {% if by is not none %}
        where {{ touched(of, by=by) }}
    {% endif %}
) as named
where named.{{ column }} is not null and named.{{ column }} not in (select known.{{ field }} from {{ to }} as known)
{% endtest %}
