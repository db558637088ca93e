{# Columns hold values that are known, or none at all; one pass for all of them. #}
{% test known_values(model, values, by=none, of=none) %}
select
    {{ values.keys() | join(', ') }}
from {{ model }}
where
    (
        {% for column, known in values.items() %}
            {{ column }} not in ('{{ known | join("', '") }}')
            {{ 'or' if not loop.last }}
        {% endfor %}
    )
    {% if by is not none %}
        and {{ touched(of, by=by) }}
    {% endif %}
{% endtest %}
