{# Shares of one whole sum to one, up to the rounding of doubles; a whole without shares is left out. #}
{% test shares_sum_to_one(model, share, within, by=none, of=none) %}
select
    {{ within | join(', ') }},
    sum({{ share }}) as total
from {{ model }}
where
    {{ share }} is not null
    {% if by is not none %}
        and {{ touched(of, by=by) }}
    {% endif %}
group by {{ within | join(', ') }}
having abs(sum({{ share }}) - 1) > 1e-9
{% endtest %}
