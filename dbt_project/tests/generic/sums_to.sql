{# Parts add up to their total in every row. #}
{% test sums_to(model, parts, total, by=none, of=none) %}
select
    {{ total }},
    {{ parts | join(', ') }}
from {{ model }}
where
    {{ total }} is distinct from {{ parts | join(' + ') }}
    {% if by is not none %}
        and {{ touched(of, by=by) }}
    {% endif %}
{% endtest %}
