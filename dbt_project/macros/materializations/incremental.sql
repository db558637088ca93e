{#
A table of which a build replaces exactly what changed in raw since the build before: its stays, the months of their
discharge, or everything about their persons (config refreshed_by: stay, month, valued month or person; refreshed_on: the
column that names it). The model's own query restricts itself to the same rows with touched(). Delete and insert are one transaction.
#}
{% materialization incremental, adapter='duckdb' %}
    {% set target = this.incorporate(type='table') %}
    {% set existing = load_cached_relation(this) %}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if anew() %}
        {% do drop_if_not('table') %}
        {% call statement('main') %}
            {{ create_anew(target, sql) }}
        {% endcall %}
    {% elif existing is none %}
        {% do exceptions.raise_compiler_error(this ~ ' is not there to be refreshed: build with a full refresh') %}
    {% else %}
        {% call statement('stale') %}
            delete from {{ target }}
            where {{ touched(config.require('refreshed_on'), by=config.require('refreshed_by')) }}
        {% endcall %}
        {% call statement('main') %}
            insert into {{ target }} by name {{ sql }}
        {% endcall %}
    {% endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
