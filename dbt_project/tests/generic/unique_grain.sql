{#
The grain of a relation: no two rows agree in all of the columns, and none of them is null. With `by` only the rows that
this build looked at again are tested (`of` names their stay or month); after a full refresh that is every row.
#}
{% test unique_grain(model, columns, by=none, of=none) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
{% if by is not none %}
    where {{ touched(of, by=by) }}
{% endif %}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns %}
        or {{ column }} is null
    {% endfor %}
{% endtest %}
